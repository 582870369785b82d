"""What the user agent is made of: the state tables, the transaction runner, composing and screening of messages."""
