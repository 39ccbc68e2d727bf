"""Texts given as an instruction: {name: (text, a piece of the sentence that refuses it, or GOOD or EITHER)}."""

from hostile import EITHER, GOOD

BIDI, CONTROL, UNSEEN = "turn the order", "control characters", "cannot be seen"
WORDLESS, EMPTY = "punctuation only", "instruction is empty"
INSTRUCTIONS = {
    "empty": ("", EMPTY),
    "a space": (" ", EMPTY),
    "white space of all kinds": (" \t\n\r\u00a0\u2003\u3000\u2028\u2029", EMPTY),
    "65 words": ("snow " * 65, "65 words"),
    "a thousand words": ("snow " * 1000, "1000 words"),
    "a million letters": ("a" * 10**6, "letters"),
    "a million words": ("a " * 10**6, "1000000 words"),
    "1001 letters": ("a" * 1001, "1001 letters"),
    "1000 letters": ("a" * 1000, GOOD),
    "a word of 300 letters": ("snow " + "x" * 300, GOOD),
    **{f"control character {code:#04x}": (f"make it{chr(code)} snow", CONTROL) for code in (0, 1, 7, 8, 27, 127, 0x80, 0x9B)},
    "a null at the end": ("make it snow\0", CONTROL),
    "a terminal's escape": ("\x1b[2J\x1b[31mmake it snow", CONTROL),
    "a terminal's title": ("\x1b]0;owned\x07 snow", CONTROL),
    **{
        f"turning sign U+{code:04X}": (f"make {chr(code)}wons it", BIDI)
        for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
    },
    "turned file name": ("open photo\u202egnp.exe", BIDI),
    "zero-width space": ("make \u200b snow", UNSEEN),
    "zero-width joiner alone": ("make \u200d", UNSEEN),
    "byte order mark alone": ("\ufeff snow", UNSEEN),
    "soft hyphen alone": ("snow \u00ad", UNSEEN),
    "tag characters": ("snow \U000e0041\U000e0042", UNSEEN),
    "a variation selector": ("snow \ufe0f", UNSEEN),
    "an accent alone": ("snow \u0301", UNSEEN),
    "word joiner alone": ("\u2060", UNSEEN),
    "unassigned": ("snow \U0003ffff", UNSEEN),
    **{f"only {text}": (text, WORDLESS) for text in ("!!!", "...", "? !", "-", "“”", "--help", "。", "؟", "_", "# @ %")[:5]},
    **{
        f"only punctuation {n}": (text, WORDLESS)
        for n, text in enumerate(("。", "؟", "_", "# @ %", "( ) [ ]", "'", "\\", "/../.."))
    },
    "one word": ("snow", GOOD),
    "one letter": ("a", GOOD),
    "one digit": ("7", GOOD),
    "a number": ("1e309", GOOD),
    "64 words, 4 of them others": (" ".join(["snow"] * 60 + ["night", "at", "rain", "fog"]), EITHER),
    **{
        f"script: {name}": (text, GOOD)
        for name, text in {
            "Arabic": "أضف ثلج",
            "Hebrew": "הוסף שלג",
            "Persian with joiner": "می\u200cخواهم برف",
            "Chinese": "让它 下雪",
            "Japanese": "雪を 降らせて",
            "Korean": "눈 오게",
            "Hindi": "बर्फ गिराओ",
            "Thai": "ทำให้ หิมะตก",
            "Russian": "сделай снег",
            "Greek": "κάνε χιόνι",
            "Amharic": "በረዶ አድርግ",
            "Turkish dotted": "İSTANBUL ışık",
            "German": "Straße weiß",
            "Vietnamese": "làm tuyết",
            "combining": "sno\u0308w ni\u0302ght",
            "stacked": "s" + "\u0335\u0321" * 40 + "now",
            "marks of direction": "שלג\u200f snow",
            "fullwidth": "ｓｎｏｗ",
            "mathematical": "𝓼𝓷𝓸𝔀",
        }.items()
    },
    **{
        f"emoji: {name}": (text, GOOD)
        for name, text in {
            "one": "❄",
            "with a selector": "❄️",
            "a family": "👨‍👩‍👧‍👦 snow",
            "a flag": "🇬🇧",
            "skin": "👍🏽 snow",
        }.items()
    },
    **{
        f"markup: {text[:24]}": (text, GOOD)
        for text in (
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "</script><script>alert(1)</script>",
            "<b>snow</b>",
            '"><svg/onload=alert(1)>',
            "javascript:alert(1)",
            "&lt;script&gt;",
            "<!--",
            "]]>",
            "{{7*7}}",
            "${7*7}",
            "{value}",
            "%s%n",
            "<a href='x'>snow</a>",
            "`rm`",
            "<style>*{display:none}</style>",
        )
    },
    **{
        f"for a spreadsheet: {text[:20]}": (text, GOOD)
        for text in ("=1+1", "=cmd|'/c calc'!A1", "@SUM(A1)", "+1+1", "-1+1", '=HYPERLINK("http://evil.example","x")', "\t=1+1")
    },
    **{
        f"for a shell or database: {text[:20]}": (text, GOOD)
        for text in (
            "$(reboot)",
            "; rm -rf /",
            "' OR 1=1 --",
            "a' b\"c",
            "a && b",
            "../../etc/passwd",
            "C:\\con",
            "null",
            "NaN",
            "None",
        )
    },
    "a line break": ("make it\nsnow", GOOD),
    "tabs": ("make\tit\tsnow", GOOD),
    "the same word": ("snow snow snow", GOOD),
    "an address": ("https://evil.example/?a=1&b=2#c", GOOD),
}
