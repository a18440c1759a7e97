"""Small torch definitions of the classic networks, with the parameter names of the libraries that publish weights.

Each is written from its paper and from what its library's checkpoints are known to hold, and gives the features of every
stage; none shares code with the package.
"""
