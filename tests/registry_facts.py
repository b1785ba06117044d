"""What the sources say of the corpora of the registry: numbers, real names, and small copies of their tables."""

EMOSET = [  # table 1 of EmoNet
    "abc", "ad", "bes", "casia", "cve", "demos", "des", "ea-act", "ea-bmw", "ea-wsj", "emodb", "emofilm",
    "emotiw2014", "enterface", "eu-ev", "fau-aibo", "gemep", "gveess", "iemocap", "meld", "mes", "ppmmk",
    "simis", "smartkom", "susas", "turkishemo",
]  # fmt: skip

# What the sources say: utterances, speakers, utterances of each label (in the order of the alphabet). Written down a
# second time, so that a slip in the registry shows. IEMOCAP's labels are known but for 5 of 10039.
COUNTS: dict[str, tuple[int | None, int | None, list[int]]] = {
    "abc": (405, 8, []),
    "ad": (660, 9, []),
    "aesdd": (604, 6, [121, 122, 120, 119, 122]),
    "ased": (2474, 65, [486, 510, 486, 522, 470]),
    "asvp-esd": (13964, 131, [1453, 548, 172, 365, 899, 401, 1180, 1868, 1598, 834, 365, 2694, 1586, 1]),
    "baum1": (None, None, []),
    "bes": (414, 6, []),
    "cafe": (936, 12, [144, 144, 144, 144, 72, 144, 144]),
    "casia": (1200, 4, [200, 200, 200, 200, 200, 200]),
    "cmu-mosei": (23259, None, []),
    "crema-d": (7442, 91, [1271, 1271, 1271, 1271, 1087, 1271]),
    "cve": (874, 4, []),
    "demos": (9697, 68, [1477, 1678, 1156, 1129, 1395, 332, 1530, 1000]),
    "des": (419, 4, []),
    "ea-act": (2280, 39, []),
    "ea-bmw": (1424, 10, []),
    "ea-wsj": (520, 10, []),
    "emns": (1181, 1, [126, 162, 150, 157, 149, 147, 139, 151]),
    "emodb": (535, 10, [127, 81, 46, 69, 71, 79, 62]),
    "emofilm": (1115, 207, [232, 168, 221, 240, 254]),
    "emotiw2014": (961, None, []),
    "emov-db": (6887, 4, [1315, 1267, 1019, 1566, 1720]),
    "emovo": (588, 6, [84, 84, 84, 84, 84, 84, 84]),
    "emozionalmente": (6902, 431, [986, 986, 986, 986, 986, 986, 986]),
    "enterface": (1263, 43, [211, 211, 211, 208, 211, 211]),
    "epst": (None, 7, []),
    "esd": (35000, 20, [7000, 7000, 7000, 7000, 7000]),
    "eu-ev": (3148, 54, []),
    "fau-aibo": (None, 51, []),
    "gemep": (1260, 10, []),
    "gveess": (1344, 12, []),
    "iemocap": (10039, 10, []),
    "jl": (2400, 4, [240, 240, 240, 240, 240, 240, 240, 240, 240, 240]),
    "m3ed": (24437, 626, [5231, 1497, 395, 2286, 10021, 3957, 1050]),
    "mead": (31729, 48, [4193, 4215, 4284, 4251, 4294, 1916, 4306, 4270]),
    "meld": (13706, None, [1607, 361, 358, 2308, 6434, 1002, 1636]),
    "mer2023": (5030, None, [1208, 1038, 1248, 730, 190, 616]),
    "mes": (360, 6, []),
    "mesd": (862, None, [143, 144, 144, 144, 143, 144]),
    "msp-improv": (8438, 12, []),
    "msp-podcast": (73042, 1273, [3218, 3644, 2593, 1544, 14285, 26009, 817, 2649, 4084, 14199]),
    "nemo": (4481, 9, [749, 736, 749, 809, 769, 669]),
    "oreau": (434, 32, [67, 67, 51, 62, 70, 55, 62]),
    "pavoque": (7334, 1, [724, 746, 4344, 819, 701]),
    "polish": (450, 5, [150, 150, 150]),
    "ppmmk": (3154, 36, []),
    "ravdess": (1440, 24, [192, 192, 192, 192, 192, 96, 192, 192]),
    "resd": (1396, None, [219, 185, 198, 223, 218, 191, 162]),
    "savee": (480, 4, [60, 60, 60, 60, 120, 60, 60]),
    "shemo": (3000, 87, [1059, 38, 201, 1028, 449, 225]),
    "simis": (9299, 10, []),
    "smartkom": (3823, 79, []),
    "subesco": (7000, 20, [1000, 1000, 1000, 1000, 1000, 1000, 1000]),
    "susas": (3593, 7, []),
    "tess": (2800, 2, [400, 400, 400, 400, 400, 400, 400]),
    "turev-db": (1735, 6, [487, 408, 357, 483]),
    "turkishemo": (484, 11, []),
    "urdu": (400, 29, [100, 100, 100, 100]),
    "vivae": (1085, 11, [161, 174, 176, 185, 202, 187]),
}
NOT_COUNTED = {"crema-d": {"sadness": 1}}  # 1076_MTI_SAD_XX is published, but has no sound

# Words for emotions that entries may use; the demo corpora have a few of them, too.
WORDS = {
    "achievement", "admiration", "amusement", "anger", "anxiety", "apologetic", "assertive", "boredom",
    "bothered", "breath", "calm", "concentrating", "concern", "contempt", "despair", "disappointment",
    "disgust", "elation", "emphatic", "encouraging", "enthusiasm", "excitement", "fear", "frustration", "guilt",
    "happiness", "helplessness", "interest", "irritation", "joy", "neutral", "other", "pain", "pleasure",
    "poker", "pondering", "positive", "pride", "relief", "rest", "sadness", "sarcasm", "shame", "sleepiness",
    "surprise", "tenderness", "thinking", "unknown", "unsure", "worry",
}  # fmt: skip
ISO_639_3 = {
    "amh", "ben", "cmn", "dan", "deu", "ell", "eng", "fas", "fra", "heb", "ita", "mya", "pol", "rus", "spa",
    "swe", "tur", "urd",
    "und", "zxx", "qaa", "qab", "qac",  # not told; no words of a language; made up for the demo
}  # fmt: skip

# Corpora that tell all in their names: corpus, path without extension, id, speaker, label, gender.
NAMES = [
    ("emodb", "03a01Fa", "03a01Fa", "03", "happiness", "male"),
    ("emodb", "wav/16b10Wb", "16b10Wb", "16", "anger", "female"),
    ("emodb", "wav/14b09Tbxx", "14b09Tbxx", "14", "sadness", "female"),
    ("ravdess", "Actor_07/03-01-03-01-02-01-07", "03-01-03-01-02-01-07", "07", "happiness", "male"),
    ("ravdess", "03-01-08-02-01-02-24", "03-01-08-02-01-02-24", "24", "surprise", "female"),
    ("emovo", "f1/dis-f1-b1", "dis-f1-b1", "f1", "disgust", "female"),
    ("emovo", "m3/gio-m3-n5", "gio-m3-n5", "m3", "happiness", "male"),
    ("urdu", "Angry/SM1_F10_A010", "SM1_F10_A010", "SM1", "anger", "male"),
    ("urdu", "Neutral/SF9_F1_N01", "SF9_F1_N01", "SF9", "neutral", "female"),
    ("crema-d", "AudioWAV/1001_IEO_ANG_HI", "1001_IEO_ANG_HI", "1001", "anger", "male"),
    ("crema-d", "1091_WSI_SAD_XX", "1091_WSI_SAD_XX", "1091", "sadness", "female"),
    ("tess", "OAF_angry/OAF_back_angry", "OAF_back_angry", "OAF", "anger", "female"),
    ("tess", "OA_bite_neutral", "OA_bite_neutral", "OAF", "neutral", "female"),
    ("tess", "YAF_youth_ps", "YAF_youth_ps", "YAF", "surprise", "female"),
    ("savee", "DC/a01", "DC_a01", "DC", "anger", "male"),
    ("savee", "DC_a01", "DC_a01", "DC", "anger", "male"),
    ("savee", "AudioData/KL/sa15", "KL_sa15", "KL", "sadness", "male"),
    ("savee", "JE/su03", "JE_su03", "JE", "surprise", "male"),
    ("cafe", "Colère/Fort/01-C-2-3", "01-C-2-3", "01", "anger", "male"),
    ("cafe", "Neutre/12-N-1-6", "12-N-1-6", "12", "neutral", "female"),
    ("esd", "0001/Angry/train/0001_000351", "0001_000351", "0001", "anger", "female"),
    ("esd", "ESD/0020/Surprise/0020_001750", "0020_001750", "0020", "surprise", "male"),
    ("demo-aria", "f03_s02_W1", "f03_s02_W1", "f03", "anger", "female"),
    ("demo-brio", "speaker-03/brio-02-04-01", "speaker-03/brio-02-04-01", "03", "fear", "male"),
    ("demo-cora", "happy/bea_p04_v1", "happy/bea_p04_v1", "bea", "happiness", "female"),
    ("casia", "liuchanhg/angry/201", "liuchanhg_angry_201", "liuchanhg", "anger", ""),
    ("demos", "DEMOS/NP_f_01_rab03a", "NP_f_01_rab03a", "01", "anger", "female"),
    ("demos", "NEU/m_45_neu01b", "m_45_neu01b", "45", "neutral", "male"),
    ("emotiw2014", "Val_AFEW/Angry/005150814", "Val_AFEW/Angry/005150814", "", "anger", ""),
    ("enterface", "subject 1/anger/sentence 1/s1_an_1", "subject1_an1", "1", "anger", ""),
    ("enterface", "subject 11/sadness/sentence 5/s12_sa_5", "subject11_sa5", "11", "sadness", ""),
    ("enterface", "subject 3/surprise/sentence 2/s_3_su_2", "subject3_su2", "3", "surprise", ""),
    ("enterface", "subject 16/surprise/sentence 3/s16_su_3avi", "subject16_su3", "16", "surprise", ""),
    ("enterface", "subject 6/anger/s6_an", "subject6_an", "6", "anger", ""),
    ("epst", "cc_001_hot-anger_1129.38_December-first", "cc_001_hot-anger_1129.38_December-first", "cc", "anger", ""),
    ("aesdd", "anger/a01 (1)", "a01 (1)", "1", "anger", ""),
    ("aesdd", "anger/a06 (5)b", "a06 (5)b", "5", "anger", ""),
    ("aesdd", "fear/f10 (01)", "f10 (01)", "1", "fear", ""),
    ("ased", "04Sad/S4-04-02-01-29", "S4-04-02-01-29", "29", "sadness", "female"),
    ("ased", "01Neutral/n1-01-01-02-01", "n1-01-01-02-01", "01", "neutral", "male"),
    ("asvp-esd", "Audio/actor_1/03-01-06-01-02-01-02-01-01", "actor_1/03-01-06-01-02-01-02-01-01", "01", "fear", ""),
    ("asvp-esd", "actor_/03-02-13-021-02-131-02 -01-01", "actor_/03-02-13-021-02-131-02 -01-01", "131", "breath", ""),
    ("emov-db", "bea_Amused/amused_1-15_0001", "bea_amused_1-15_0001", "bea", "amusement", "female"),
    ("emov-db", "sam/Disgust/Disgust_57_84_0057", "sam_Disgust_57_84_0057", "sam", "disgust", "male"),
    ("jl", "JL(wav+txt)/female1_angry_10a_1", "female1_angry_10a_1", "female1", "anger", "female"),
    ("jl", "male2_concerned_3b_2", "male2_concerned_3b_2", "male2", "concern", "male"),
    ("mead", "M003/audio/angry/level_1/001", "M003_angry_1_001", "M003", "anger", "male"),
    ("mead", "W009/audio/neutral/level_1/030", "W009_neutral_1_030", "W009", "neutral", "female"),
    ("mesd", "MESD/Anger_F_A_abajo", "Anger_F_A_abajo", "F", "anger", "female"),
    ("mesd", "Sadness_C_B_por_favor", "Sadness_C_B_por_favor", "C", "sadness", ""),
    ("nemo", "samples/EB0_anger_12", "EB0_anger_12", "EB0", "anger", "female"),
    ("nemo", "WR0_surprised_1", "WR0_surprised_1", "WR0", "surprise", "male"),
    ("oreau", "OréauFR_02/f/sessc/01a01Ca", "f/sessc/01a01Ca", "01", "anger", "female"),
    ("oreau", "m/sessn/32b07Nb", "m/sessn/32b07Nb", "32", "neutral", "male"),
    ("polish", "m1.s_bak_3", "m1.s_bak_3", "m1", "fear", "male"),
    ("resd", "test/neutral_fear_27/27_neutral_fear_n_100", "27_neutral_fear_n_100", "27", "neutral", ""),
    ("resd", "train/08_sadness_anger/08_sadness_anger a_140", "08_sadness_anger_a_140", "08", "anger", ""),
    ("shemo", "female/F02F01", "F02F01", "F02", "fear", "female"),
    ("shemo", "male/M55W03", "M55W03", "M55", "surprise", "male"),
    ("subesco", "F_02_MONIKA_S_2_SURPRISE_3]", "F_02_2_SURPRISE_3", "F_02", "surprise", "female"),
    ("subesco", "M_10_BIBHAS_S_10_ANGRY_1", "M_10_10_ANGRY_1", "M_10", "anger", "male"),
    ("turev-db", "Sound Source/Sad/7895_hl_ogul1", "7895_hl_ogul1", "7895", "sadness", ""),
    ("vivae", "full_set/S04_anger_strong_7", "S04_anger_strong_7", "S04", "anger", ""),
    ("vivae", "S01_pleasure_peak_062", "S01_pleasure_peak_062", "S01", "pleasure", ""),
]  # fmt: skip
OTHERS = [
    ("emodb", "x03a01Fa"), ("emodb", "03a01Xa"), ("ravdess", "03-01-09-01-02-01-07"), ("emovo", "dis-f1-b1 (1)"),
    ("urdu", "SX1_F10_A010"), ("crema-d", "11001_IEO_ANG_HI"), ("savee", "XX_a01"), ("shemo", "female/F02X01"),
    ("esd", "0001/Angry/0002_000351"), ("demo-cora", "unhappy/bea_p04_v1"), ("polish", "m1_s_bak_3"),
    ("enterface", "s1_an_1"), ("iemocap", "Ses06F_impro01_M013"), ("meld", "test/final_videos_testdia0_utt1"),
    ("fau-aibo", "Ohm_01_015"), ("msp-improv", "UTD-IMPROV-S01A-F01-S-FM01"), ("emns", "recorded_audio_12"),
]  # fmt: skip

# Corpora whose tables tell the rest, as small made-up copies: files, then audio -> what its row must hold.
IEMOCAP = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
A-E3:\tval 3; act 2; dom  2;\t()

[10.0100 - 11.3925]\tSes01F_impro01_MXX1\texc\t[4.5000, 3.0000, 2.0000]
"""
MELD = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"
IMPROV = """UTD-IMPROV-S01A-F01-S-FM01.avi; A; A:2.100000; V:1.500000; D:3.000000 ; N:4.000000;
w1; Angry; Angry,Frustrated; A:2.000000; V:1.000000; D:3.000000 ; N:4.000000;

UTD-IMPROV-S01A-M01-R-MF02.avi; X; A:NaN; V:2.500000; D:3.000000 ; N:3.000000;
"""
PODCAST = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"
M3ED = """{"anjia": {"anjia_1": {"SpeakerInfo": {"A": {}}, "Dialog": {
 "anjia_1_1": {"Speaker": "A", "Text": "x", "EmoAnnotation": {"final_main_emo": "Sad"}}}}},
"woju": {"woju_7": {"Dialog": {
 "woju_7_3": {"Speaker": "B", "Text": "y", "EmoAnnotation": {"final_main_emo": "Fear"}}}}}}"""
LAYOUTS: dict[str, tuple[dict[str, str], dict[str, dict[str, object]]]] = {
    "iemocap": (
        {"Session1/dialog/EmoEvaluation/Ses01F_impro01.txt": IEMOCAP},
        {
            "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav": {
                "speaker": "01F", "gender": "female", "label": "neutral", "valence": 2.5, "style": "impro",
            },
            "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_MXX1.wav": {
                "speaker": "01M", "gender": "male", "label": "excitement", "arousal": 3.0, "dominance": 2.0,
            },
        },
    ),
    "meld": (
        {
            "train/train_sent_emo.csv": MELD + '1,"Oh, joy",Joey,joy,positive,0,3\n',
            "dev_sent_emo.csv": MELD + "1,What?,Rachel,surprise,negative,0,3\n",
            "test_sent_emo.csv": MELD + "1,No.,Joey,anger,negative,0,3\n",
        },
        {
            "train/train_splits/dia0_utt3.wav": {
                "utterance": "meld/train_dia0_utt3", "speaker": "Joey", "label": "happiness", "words": "Oh, joy",
            },
            "dev_splits_complete/dia0_utt3.wav": {"speaker": "Rachel", "label": "surprise", "split": "dev"},
            "output_repeated_splits_test/dia0_utt3.wav": {"speaker": "Joey", "label": "anger", "split": "test"},
        },
    ),
    "fau-aibo": (
        {"labels/IS2009EmotionChallenge/chunk_labels_5cl_corpus.txt": "Ohm_01_015_00 N 1\nMont_01_002_01 E 0.6\n"},
        {
            "wav/Ohm_01_015_00.wav": {"speaker": "Ohm_01", "label": "neutral", "confidence": 1.0, "school": "Ohm"},
            "wav/Mont_01_002_01.wav": {"speaker": "Mont_01", "label": "emphatic", "school": "Mont"},
        },
    ),
    "msp-improv": (
        {"Evalution.txt": IMPROV},
        {
            "session1/S01A/S/MSP-IMPROV-S01A-F01-S-FM01.wav": {
                "speaker": "F01", "gender": "female", "label": "anger", "arousal": 2.1, "naturalness": 4.0,
                "target": "A",
            },
            "session1/S01A/R/MSP-IMPROV-S01A-M01-R-MF02.wav": {"speaker": "M01", "label": "unknown", "valence": 2.5},
        },
    ),
    "msp-podcast": (
        {"Labels/labels_concensus.csv": PODCAST + "MSP-PODCAST_0001_0008.wav,N,2.6,5,5,127,Male,Test1\n"
         "MSP-PODCAST_0002_0033_0001.wav,A,6,1.8,5,9,Female,Train\n"},
        {
            "Audios/MSP-PODCAST_0001_0008.wav": {
                "speaker": "127", "gender": "male", "label": "neutral", "arousal": 2.6, "split": "Test1",
            },
            "Audios/MSP-PODCAST_0002_0033_0001.wav": {"speaker": "9", "gender": "female", "split": "Train"},
        },
    ),
    "m3ed": (
        {"annotation.json": M3ED},
        {
            "modality_speech/A_anjia_1_1.wav": {"speaker": "anjia_1_A", "label": "sadness", "series": "anjia"},
            "modality_speech/B_woju_7_3.wav": {"speaker": "woju_7_B", "label": "fear", "words": "y"},
        },
    ),
    "mer2023": (
        {"mer2023train/train-label.csv": "name,discrete,valence\nsample_00000001,worried,-1\n",
         "test-labels/test1-label.csv": "name,discrete,valence\nsample_00000002,happy,2\n"},
        {
            "mer2023train/train/sample_00000001.wav": {"speaker": "", "label": "worry", "split": "train"},
            "test1/sample_00000002.wav": {
                "utterance": "mer2023/sample_00000002", "label": "happiness", "split": "test1",
            },
        },
    ),
    "emns": (
        {"metadata.csv": "id|utterance|emotion|gender|audio_recording\n"
         "1|Hi, you|Surprised|F|wavs/recorded_audio_AbC1234.webm\n2|Bye|Sarcastic|F|wavs/recorded_audio.wav\n"},
        {
            "cleaned/recorded_audio_AbC1234.wav": {"speaker": "imz", "gender": "female", "label": "surprise"},
            "cleaned/recorded_audio.wav": {"speaker": "imz", "label": "sarcasm"},
        },
    ),
    "emozionalmente": (
        {
            "metadata/samples.csv": "file_name,sentence,sentence_language,actor,emotion_expressed\n"
            "1600000000001.wav,Vorrei il numero,it,b83,joy\n1600000000002.wav,Vorrei il numero,it,5b8,neutrality\n",
            "metadata/users.csv": "username,gender,age,mother_tongue\nb83,female,31,italian\n5b8,other,24,italian\n",
        },
        {
            "audio/1600000000001.wav": {"speaker": "b83", "gender": "female", "age": 31.0, "label": "happiness"},
            "audio/1600000000002.wav": {"speaker": "5b8", "gender": "", "age": 24.0, "label": "neutral"},
        },
    ),
    "emofilm": (
        {"f_m_corpus_it_es_en_legend.xlsx": "female: f_ans001aen, Jane , Film A\nmale: m_dis002bit, Mario, Film B\n"},
        {
            "wav_corpus/f_ans001aen.wav": {
                "speaker": "Jane", "gender": "female", "label": "fear", "language": "eng", "film": "Film A",
            },
            "wav_corpus_16k/m_dis002bit_16k.wav": {
                "utterance": "emofilm/m_dis002bit", "speaker": "Mario", "label": "contempt", "language": "ita",
            },
        },
    ),
    "crema-d": (
        {
            "VideoDemographics.csv": '"ActorID","Age","Sex","Race","Ethnicity"\n'
            '1001,51,"Male","Caucasian","Not Hispanic"\n',
            "processedResults/summaryTable.csv": '"","FileName","VoiceVote"\n"1","1001_IEO_ANG_HI","A:F"\n',
        },
        {"AudioWAV/1001_IEO_ANG_HI.wav": {"speaker": "1001", "gender": "male", "age": 51.0, "voice_vote": "A:F"}},
    ),
    "nemo": (
        {"data.tsv": "file_id\temotion\traw_text\tspeaker_id\tgender\tage\n"
         "EB0_anger_1.wav\tanger\tA tak\tEB0 \tfemale\t23\n"},
        {"samples/EB0_anger_1.wav": {"speaker": "EB0", "label": "anger", "age": 23.0, "words": "A tak"}},
    ),
}  # fmt: skip
