"""Where bytes come from: a source is one version of one representation, a store is a named collection of them."""
