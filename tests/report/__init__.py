"""Reports and the site."""
