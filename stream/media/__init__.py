"""Files and URLs as FFmpeg reads them: where they may be, the process that reads them, and the pace at which they come."""
