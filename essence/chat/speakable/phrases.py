"""The words that June itself says in place of what can't be read out, by language.

Names of units, months and currencies are not here: they are CLDR's, by way of Babel.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_SIGNS = "+ − = ≠ < > ≤ ≥ ≈ ± × ÷ √ ² ³ & @ #".split()  # noqa: SIM905 (a row that the rows below it line up with)


@dataclass(frozen=True, slots=True)
class Phrases:
    """What one language says. Blank: nothing is said."""

    code: str = ""
    """A whole sentence, in place of a block of code."""
    table: str = ""
    """A whole sentence, in place of a table."""
    snippet: str = ""
    """In place of inline code that is no name: "Run …"."""
    dot: str = ""
    """Inside the name of a host."""
    range_to: str = ""
    """Between the ends of a range: "10 … 12"."""
    version: str = ""
    hour: str = "{h}"
    """A full hour."""
    time: str = "{h} {m}"
    signs: dict[str, str] = field(default_factory=dict)
    """By the sign: + − = ≠ < > ≤ ≥ ≈ ± × ÷ √ ² ³ & @ #."""
    abbreviations: dict[str, str] = field(default_factory=dict)


def _signs(words: str) -> dict[str, str]:
    return dict(zip(_SIGNS, (word.strip() for word in words.split("|")), strict=True))


_TABLE = {
    "en": Phrases(
        "I sent the code as text.", "I sent the table as text.", "this code", "dot", "to", "version",
        "{h} o'clock", "{h} {m}",
        _signs("plus|minus|equals|is not equal to|is less than|is greater than|is at most|is at least|about"
               "|plus or minus|times|divided by|square root of|squared|cubed|and|at|number"),
        {"e.g.": "for example", "i.e.": "that is", "etc.": "et cetera", "vs.": "versus", "vs": "versus",
         "Dr.": "Doctor", "Mr.": "Mister", "Mrs.": "Missus", "Ms.": "Miz", "Prof.": "Professor",
         "approx.": "approximately", "a.k.a.": "also known as", "w/o": "without", "No.": "number", "Fig.": "figure",
         "C++": "C plus plus", "C#": "C sharp", "F#": "F sharp"},
    ),
    "de": Phrases(
        "Den Code habe ich als Text geschickt.", "Die Tabelle habe ich als Text geschickt.", "diesen Code", "Punkt",
        "bis", "Version", "{h} Uhr", "{h} Uhr {m}",
        _signs("plus|minus|gleich|ungleich|kleiner als|größer als|höchstens|mindestens|ungefähr|plus minus|mal"
               "|geteilt durch|Wurzel aus|hoch zwei|hoch drei|und|at|Nummer"),
        {"z. B.": "zum Beispiel", "z.B.": "zum Beispiel", "d. h.": "das heißt", "d.h.": "das heißt",
         "usw.": "und so weiter", "bzw.": "beziehungsweise", "ca.": "circa", "Nr.": "Nummer", "Dr.": "Doktor",
         "u. a.": "unter anderem", "u.a.": "unter anderem", "ggf.": "gegebenenfalls", "vgl.": "vergleiche",
         "inkl.": "inklusive", "etc.": "et cetera"},
    ),
    "fr": Phrases(
        "J'ai envoyé le code par écrit.", "J'ai envoyé le tableau par écrit.", "ce code", "point", "à", "version",
        "{h} heures", "{h} heures {m}",
        _signs("plus|moins|égale|différent de|inférieur à|supérieur à|au plus|au moins|environ|plus ou moins|fois"
               "|divisé par|racine carrée de|au carré|au cube|et|arobase|numéro"),
        {"p. ex.": "par exemple", "etc.": "et cetera", "M.": "Monsieur", "Mme": "Madame", "Dr": "Docteur",
         "c.-à-d.": "c'est-à-dire", "env.": "environ", "n°": "numéro", "1er": "premier", "1re": "première"},
    ),
    "es": Phrases(
        "He enviado el código por escrito.", "He enviado la tabla por escrito.", "este código", "punto", "a",
        "versión", "{h}", "{h} y {m}",
        _signs("más|menos|igual a|distinto de|menor que|mayor que|como máximo|como mínimo|aproximadamente"
               "|más menos|por|dividido por|raíz cuadrada de|al cuadrado|al cubo|y|arroba|número"),
        {"p. ej.": "por ejemplo", "etc.": "etcétera", "Sr.": "señor", "Sra.": "señora", "Dr.": "doctor",
         "Dra.": "doctora", "aprox.": "aproximadamente", "n.º": "número", "EE. UU.": "Estados Unidos"},
    ),
    "it": Phrases(
        "Ho inviato il codice come testo.", "Ho inviato la tabella come testo.", "questo codice", "punto", "a",
        "versione", "{h}", "{h} e {m}",
        _signs("più|meno|uguale a|diverso da|minore di|maggiore di|al massimo|almeno|circa|più o meno|per|diviso"
               "|radice quadrata di|al quadrato|al cubo|e|chiocciola|numero"),
        {"p. es.": "per esempio", "ad es.": "ad esempio", "ecc.": "eccetera", "Sig.": "signor", "Dott.": "dottor"},
    ),
    "pt": Phrases(
        "Enviei o código por escrito.", "Enviei a tabela por escrito.", "este código", "ponto", "a", "versão",
        "{h} horas", "{h} e {m}",
        _signs("mais|menos|igual a|diferente de|menor que|maior que|no máximo|no mínimo|aproximadamente|mais ou menos"
               "|vezes|dividido por|raiz quadrada de|ao quadrado|ao cubo|e|arroba|número"),
        {"p. ex.": "por exemplo", "etc.": "et cetera", "Sr.": "senhor", "Sra.": "senhora", "Dr.": "doutor"},
    ),
    "nl": Phrases(
        "De code heb ik als tekst gestuurd.", "De tabel heb ik als tekst gestuurd.", "deze code", "punt", "tot",
        "versie", "{h} uur", "{h} uur {m}",
        _signs("plus|min|is gelijk aan|is niet gelijk aan|kleiner dan|groter dan|hoogstens|minstens|ongeveer"
               "|plus of min|keer|gedeeld door|wortel uit|kwadraat|tot de derde|en|apenstaartje|nummer"),
        {"bijv.": "bijvoorbeeld", "enz.": "enzovoort", "d.w.z.": "dat wil zeggen", "ca.": "circa", "nr.": "nummer"},
    ),
    "pl": Phrases(
        "Kod wysłałam jako tekst.", "Tabelę wysłałam jako tekst.", "ten kod", "kropka", "do", "wersja",
        "{h}", "{h} {m}",
        _signs("plus|minus|równa się|nie równa się|mniejsze niż|większe niż|najwyżej|co najmniej|około|plus minus"
               "|razy|podzielić przez|pierwiastek z|do kwadratu|do sześcianu|i|małpa|numer"),
        {"np.": "na przykład", "itd.": "i tak dalej", "itp.": "i tym podobne", "tzn.": "to znaczy", "ok.": "około",
         "nr": "numer", "m.in.": "między innymi"},
    ),
    "ru": Phrases(
        "Код отправлен текстом.", "Таблица отправлена текстом.", "этот код", "точка", "до", "версия",
        "{h} часов", "{h} {m}",
        _signs("плюс|минус|равно|не равно|меньше|больше|не больше|не меньше|примерно|плюс минус|умножить на"
               "|разделить на|корень из|в квадрате|в кубе|и|собака|номер"),
        {"т. е.": "то есть", "т.е.": "то есть", "и т. д.": "и так далее", "и т.д.": "и так далее",
         "и т. п.": "и тому подобное", "т. к.": "так как", "т.к.": "так как", "напр.": "например", "№": "номер"},
    ),
    "uk": Phrases(
        "Код надіслано текстом.", "Таблицю надіслано текстом.", "цей код", "крапка", "до", "версія",
        "{h}", "{h} {m}",
        _signs("плюс|мінус|дорівнює|не дорівнює|менше|більше|не більше|не менше|приблизно|плюс мінус|помножити на"
               "|поділити на|корінь з|у квадраті|у кубі|і|равлик|номер"),
        {"т. д.": "так далі", "напр.": "наприклад", "№": "номер"},
    ),
    "tr": Phrases(
        "Kodu metin olarak gönderdim.", "Tabloyu metin olarak gönderdim.", "bu kod", "nokta", "ile", "sürüm",
        "saat {h}", "{h} {m}",
        _signs("artı|eksi|eşittir|eşit değil|küçüktür|büyüktür|en fazla|en az|yaklaşık|artı eksi|çarpı|bölü"
               "|karekök|kare|küp|ve|et|numara"),
        {"vb.": "ve benzeri", "örn.": "örneğin", "Dr.": "Doktor", "Prof.": "Profesör"},
    ),
    "zh": Phrases(
        "代码已用文字发送。", "表格已用文字发送。", "这段代码", "点", "到", "版本", "{h}点", "{h}点{m}分",
        _signs("加|减|等于|不等于|小于|大于|不大于|不小于|约|正负|乘以|除以|根号|平方|立方|和|艾特|号"),
    ),
    "ja": Phrases(
        "コードは文字で送りました。", "表は文字で送りました。", "このコード", "ドット", "から", "バージョン",
        "{h}時", "{h}時{m}分",
        _signs("プラス|マイナス|イコール|ノットイコール|小なり|大なり|以下|以上|約|プラスマイナス|かける|割る"
               "|ルート|の二乗|の三乗|と|アット|番号"),
    ),
}  # fmt: skip
_NEUTRAL = Phrases()


def phrases_of(language: str) -> Phrases:
    """The phrases of an ISO 639-1 code; of a language that has none, blank ones: the signs are left out."""
    return _TABLE.get(language, _NEUTRAL)
