"""What `emoset doctor` looks at: the machine, how fast it is, and whether a workspace is whole.

machine.py     versions, processor, memory, disk, GPU: facts, nothing is judged
slow.py        what would be slow or would not work, and what helps
speed.py       a few measurements of about ten seconds
workspace.py   every file of a workspace against what wrote it
"""
