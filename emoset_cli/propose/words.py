"""Words and codes by which people name emotions, speakers and sentences in file names: hints, never decisions."""

from collections.abc import Iterable

_WORDS = {
    "anger": "ang anger angry agg aggressive rab rabbia aerger ärger wut wuetend wütend zorn colere colère enfado "
    "enojo ira raiva kizgin kızgın ofke öfke sinirli zlosc złość gniew gnev shengqi fennu 生气 愤怒 怒 ghussa",
    "anxiety": "anxiety anxious worried",
    "boredom": "bor bored boredom langeweile noia ennui aburrimiento",
    "calm": "cal calm calme calma relaxed sakin ruhig",
    "contempt": "con contempt verachtung disprezzo mepris",
    "disgust": "dis disg disgust disgusted disgusto degout dégoût asco nojo ekel igrenme wstret wstręt 厌恶",
    "excitement": "exc excited excitement",
    "fear": "fea fear fearful afraid scared pau paura angst peur miedo medo korku strach strax 害怕 恐惧",
    "frustration": "fru frustrated frustration",
    "guilt": "col guilt colpa",
    "happiness": "hap happy happiness gio gioia freude froh glueck glück joie heureux alegria alegría feliz mutlu "
    "radosc radość kaixin gaoxing 高兴 开心 快乐 khushi",
    "joy": "joy joyful",
    "neutral": "neu neut neutral neutrality neutre neutrale neutro notr nötr normal neutralny "
    "neutralnie zhongxing 中性 平静",
    "pain": "pain",
    "pleasure": "pleasure pleased amused amusement",
    "pride": "pride proud",
    "sadness": "sad sadness tri tristezza traurig trauer triste tristesse tristeza uzgun üzgün smutek shangxin "
    "beishang 悲伤 伤心 udas",
    "surprise": "sur surp surprise surprised ps sor sorpresa ueberraschung überraschung surpris sorpresa saskin şaşkın "
    "zaskoczenie jingya 惊讶 惊奇",
}  # fmt: skip
_EMOTIONS = {word: label for label, words in _WORDS.items() for word in words.split()}
_GERMAN = {"w": "anger", "l": "boredom", "e": "disgust", "a": "fear", "f": "happiness", "t": "sadness", "n": "neutral"}
_ENGLISH = {
    "a": "anger", "b": "boredom", "c": "calm", "d": "disgust", "f": "fear", "h": "happiness", "j": "joy",
    "n": "neutral", "s": "sadness", "w": "anger",
}  # fmt: skip
_TWO = {"an": "anger", "di": "disgust", "fe": "fear", "ha": "happiness", "ne": "neutral", "sa": "sadness",
        "su": "surprise", "bo": "boredom", "ca": "calm"}  # fmt: skip
GENDERS = {
    "f": "female", "female": "female", "w": "female", "woman": "female", "women": "female", "m": "male",
    "male": "male", "man": "male", "men": "male",
}  # fmt: skip
KEYWORDS = {
    word: role
    for role, words in {
        "speaker": "actor speaker spk spkr subject subj sub participant voice sprecher actress person locutor parlante",
        "label": "emotion emo label category class",
        "text": "sentence sent text phrase utterance utt satz frase item script prompt",
        "take": "take rep repetition version v ver wdh",
        "session": "session sess ses dialogue dialog dia turn day scene level intensity",
    }.items()
    for word in words.split()
}


def suggestions(codes: Iterable[str]) -> dict[str, str]:
    """What codes may mean, of those that look like emotions; single letters only where most of them do.

    Example:
        >>> suggestions(["W", "L", "T", "N"])
        {'W': 'anger', 'L': 'boredom', 'T': 'sadness', 'N': 'neutral'}
        >>> suggestions(["angry", "p01", "rab"])
        {'angry': 'anger', 'rab': 'anger'}
    """
    codes = list(codes)
    known = _EMOTIONS
    low = {code.lower() for code in codes}
    if len(codes) >= 3 and max(map(len, codes)) <= 2:
        german = "w" in low and low & {"t", "l", "e"} and low <= _GERMAN.keys()
        short = _EMOTIONS | _TWO | (_GERMAN if german else _ENGLISH)
        if sum(code.lower() in short for code in codes) > 0.6 * len(codes):
            known = short
    return {code: known[code.lower()] for code in codes if code.lower() in known}


def emotion_share(values: Iterable[str]) -> float:
    """Share of the values that look like emotions; letters and pairs count half.

    Example:
        >>> emotion_share(["angry", "happy", "p01", "p02"])
        0.5
    """
    values = list(values)
    weights = {1: 0.4, 2: 0.6}
    return sum(weights.get(len(code), 1.0) for code in suggestions(values)) / max(len(values), 1)


def are_genders(values: Iterable[str]) -> bool:
    """Whether the values are a word or letter for women and one for men, and nothing else.

    Example:
        >>> are_genders(["F", "M"]), are_genders(["f"]), are_genders(["m", "n"])
        (True, False, False)
    """
    found = [GENDERS.get(value.lower()) for value in values]
    return None not in found and set(found) == {"female", "male"}
