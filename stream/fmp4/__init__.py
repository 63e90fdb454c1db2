"""Fragmented MP4 (ISO/IEC 14496-12 section 8.8) of H.264 and Opus: what is written once is never touched again, so a file that
breaks off plays up to its last whole fragment.

Our own, for two reasons. FFmpeg's muxer waits for the packets of all tracks before it writes any: measured, nothing reached the
file for 10 s after the sound paused. And PyAV describes a track only with an encoder or an input file that has the same.
"""
