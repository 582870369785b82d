"""What the user agent is made of: state tables as data, the transaction runner, message composing, request screening."""
