"""What a person opens in a browser: the join page and the few requests it makes."""
