"""What a release is made of: `python -m release sbom | licences | archive`.

Owns the bills of materials, the list of licences with its policy, and the archive. Reads the lock
files and what is installed; knows nothing of what the code does.
"""
