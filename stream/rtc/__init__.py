"""WebRTC media: RTP in and out of pictures, over the ICE, DTLS and SRTP of aiortc."""
