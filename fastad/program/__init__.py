"""Record once, replay many: recordings, the plans made from them, and the public Program."""
