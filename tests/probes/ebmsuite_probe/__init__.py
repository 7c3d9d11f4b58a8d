"""A plugin of the tests: two further ways of learning, to see whether the words of the core carry them."""
