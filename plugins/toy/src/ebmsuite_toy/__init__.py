"""The toy domain: densities that are known exactly, so that whatever is learned can be compared with the truth.

A plugin like any other, in the suite's own wheel: nothing of the suite imports it.
"""
