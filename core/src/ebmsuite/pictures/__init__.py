"""Pictures of events for all domains whose codec has a method ``show``: sheets, films of chains, neighbours."""
