"""Questions asked of results: frames in, frames out; nothing here reads or writes."""
