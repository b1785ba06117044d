"""Layers that several networks share; each module holds one."""
