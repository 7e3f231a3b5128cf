"""Reading series: from the bytes of a file, or a frame, to a panel."""
