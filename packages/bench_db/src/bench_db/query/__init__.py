"""Questions asked of results: LazyFrame in, LazyFrame out; nothing here reads, writes or collects."""
