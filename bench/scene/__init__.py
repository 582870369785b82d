"""The demo's scene: one engine on loopback, phones around it, and the steps that are played and judged."""
