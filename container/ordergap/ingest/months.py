"""Names of months, in seven languages."""

from __future__ import annotations

_NAMES = (
    "january jan januar jänner janvier janv enero ene gennaio gen januari janeiro",
    "february feb februar feber février févr fév fevrier febrero febbraio februari fevereiro fev",
    "march marts mar märz mär maerz mrz mars marzo maart mrt março marco",
    "april apr avril avr abril abr aprile",
    "may maj mai mayo maggio mag mei maio",
    "june jun juni juin junio giugno giu junho",
    "july jul juli juillet juil julio luglio lug julho",
    "august aug août aout agosto ago augustus",
    "september sep sept septembre septiembre settembre set setembro",
    "october oct oktober okt octobre octubre ottobre ott outubro out",
    "november nov novembre noviembre novembro",
    "december desember des dec dezember dez décembre déc decembre diciembre dic dicembre dezembro",
)

MONTHS = {name: month for month, names in enumerate(_NAMES, 1) for name in names.split()}
"""Name or abbreviation, in lower case -> 1 to 12."""
