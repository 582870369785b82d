"""How good a leg sounds: bursts of loss, ratings, and the RTCP block that tells the peer of them."""
