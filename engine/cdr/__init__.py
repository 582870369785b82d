"""Call detail records: values, tables, and the one thread that writes them."""
