"""The names of the papers' tables, and what each is of: known without loading what computes them."""

TABLES = {
    "emonet2021-table3": "EmoNet's baselines: SVMs on eGeMAPS and DeepSpectrum, the ResNet from scratch",
    "emonet2021-table4": "EmoNet's adapters from networks of all corpora, against scratch",
    "emonet2021-fig7": "heat maps of EmoNet's transfer from one corpus and from all of them",
    "alisamir2022-table2": "emotion embeddings of one corpus and of several, the speech encoder frozen or fine-tuned",
    "deepwccn": "within and across languages, with and without (Deep-)WCCN",
    "zhu2020": "networks of one corpus, of several, with a corpus discriminator, with an adversarial one",
    "parry2022": "MTL, GR and AD with attributes, against the network without",
}

# Papers with figures of corpora through each other's heads, and the table they stand in.
CROSS = {"alisamir2022": "Table III"}
