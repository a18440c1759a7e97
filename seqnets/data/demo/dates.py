"""Dates as people write them and in ISO 8601: the embedded default data of translation."""

import datetime
import random

_FIRST, _DAYS = datetime.date(1900, 1, 1), 200 * 365
_ORDINALS = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}

# each form can be read in one way only: it names the month, or orders the parts as no other form does
FORMS = (
    "{day} {month} {year}",
    "{day} {short} {year}",
    "{month} {day}, {year}",
    "{short} {day}, {year}",
    "{month} {nth}, {year}",
    "the {nth} of {month} {year}",
    "the {nth} of {month}, {year}",
    "{weekday}, {day} {month} {year}",
    "{weekday}, {month} {day}, {year}",
    "{name}, {day} {short} {year}",
    "{day}.{number}.{year}",
    "{day:02}.{number:02}.{year}",
    "{year}/{number}/{day}",
    "{year}/{number:02}/{day:02}",
    "{day:02}-{short}-{year}",
    "{short} {day} {year}",
    "{year}, {month} {day}",
    "{day} {lower} {year}",
)


def dates(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Return random dates of two centuries in many written forms, paired with ISO 8601.

    Args:
        count: how many.
        seed: seed of the choice.

    Returns:
        Pairs of source and target.

    Example:
        >>> dates(2)
        [('1 Apr 2038', '2038-04-01'), ('Monday, December 5, 2050', '2050-12-05')]
    """
    chance = random.Random(seed)
    days = [_FIRST + datetime.timedelta(chance.randrange(_DAYS)) for _ in range(count)]
    return [(written(day, chance.choice(FORMS)), day.isoformat()) for day in days]


def written(day: datetime.date, form: str) -> str:
    """Write a date in one of the `FORMS`.

    Example:
        >>> written(datetime.date(2021, 3, 3), "{name}, {day} {short} {year}")
        'Wed, 3 Mar 2021'
    """
    month, weekday = _MONTHS[day.month - 1], _WEEKDAYS[day.weekday()]
    return form.format(
        day=day.day, number=day.month, year=day.year, month=month, lower=month.lower(), short=month[:3],
        weekday=weekday, name=weekday[:3], nth=f"{day.day}{_ORDINALS.get(day.day, 'th')}",
    )  # fmt: skip


# not those of `calendar`, which follow the locale
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
