"""Plugins: discovery, the registry of components, the conformance kit, the template of a new plugin."""
