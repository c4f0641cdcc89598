"""A small runner of GitHub workflows: every `run:` step is executed for real, the few foreign actions have stand-ins."""
