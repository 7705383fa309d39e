"""Rules of one's own: functions recorded as one BLOCK row."""
