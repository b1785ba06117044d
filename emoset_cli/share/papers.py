"""BibTeX entries of the papers whose systems the models are."""

EMONET = """@article{gerczuk2021emonet,
  author = {M. Gerczuk and S. Amiriparian and S. Ottl and B. W. Schuller},
  title = {{EmoNet: A Transfer Learning Framework for Multi-Corpus Speech Emotion Recognition}},
  year = {2021},
}"""
_ALISAMIR = """@inproceedings{alisamir2022multi,
  author = {S. Alisamir and F. Ringeval and F. Portet},
  title = {{Multi-corpus Affect Recognition with Emotion Embeddings and Self-Supervised Representations of Speech}},
  booktitle = {ACII},
  year = {2022},
}"""
_WCCN = """@misc{deepwccn,
  title = {{End-to-end transfer learning for speaker-independent cross-language speech emotion recognition}},
}"""
_ZHU = """@inproceedings{zhu2020reconciliation,
  author = {Z. Zhu and Y. Sato},
  title = {{Reconciliation of Multiple Corpora for Speech Emotion Recognition by Multiple Classifiers with an
    Adversarial Corpus Discriminator}},
  year = {2020},
}"""
_PARRY = """@inproceedings{parry2022speech,
  author = {J. Parry and E. DeMattos and A. Klementiev and A. Ind and D. Morse-Kopp and G. Clarke and D. Palaz},
  title = {{Speech Emotion Recognition in the Wild using Multi-task and Adversarial Learning}},
  year = {2022},
}"""
OPENSMILE = """@inproceedings{eyben2010opensmile,
  author = {F. Eyben and M. W{\\"o}llmer and B. Schuller},
  title = {{openSMILE: The Munich Versatile and Fast Open-Source Audio Feature Extractor}},
  booktitle = {ACM Multimedia},
  year = {2010},
}"""

# Model -> the paper whose system it is; the baselines are EmoNet's, of which a forest is Deep-WCCN's.
PAPERS = {
    "cnn": EMONET,
    "vgg16": EMONET,
    "rnn": EMONET,
    "cnn-rnn": EMONET,
    "embedding": _ALISAMIR,
    "wccn": _WCCN,
    "acrnn": _ZHU,
    "cnn-lstm": _PARRY,
    "svm": EMONET,
    "forest": _WCCN,
}
