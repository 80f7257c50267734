"""HTTP/1.1 of our own: each rule on a real socket."""
