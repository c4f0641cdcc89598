"""The static site: pages and data shards as paths and bytes, for a browser that has no server to ask."""
