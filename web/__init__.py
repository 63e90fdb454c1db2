"""The door: HTTP routes, the pages and the JavaScript client. Nothing here touches a pixel."""
