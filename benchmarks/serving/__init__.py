"""What `make bench ARGS=serve` starts in processes of their own: a client, the floor, and other engines' servers."""
