"""From data to bundles and endpoints out of one file, of which only what changed is done again."""
