"""What people look at: functions from frames and records to text; nothing here writes."""
