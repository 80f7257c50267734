"""HTTP/2: each rule and each bound on a real socket."""
