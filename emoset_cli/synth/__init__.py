"""Synthetic emotional speech, so that every step can be shown and tested without anybody's recordings.

sounds.py   vowels, consonants, and syllables spelt with them
voice.py    a source-filter synthesiser: syllables and a way of speaking to a waveform
prosody.py  what emotions do to the way of speaking, and how much speakers differ in it
demo.py     three demo corpora in invented languages, written as folders of audio
"""
