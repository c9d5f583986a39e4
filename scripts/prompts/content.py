"""What prompts are about: names, things, passages, reviews, tickets, letters, tables, records."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from prompts.fill import fill, some

PEOPLE = """Maria Lopez|John Carter|Wei Zhang|Aisha Khan|Tom Becker|Priya Nair|Olga Petrova|
Samuel Osei|Emma Laurent|Yuki Tanaka|Carlos Mendes|Hannah Weiss|David Cohen|Fatima Zahra|
Liam O'Brien|Ingrid Dahl|Rosa Marino|Ahmed Saleh|Grace Kim|Peter Novak""".replace("\n", "").split(
    "|"
)
CITIES = """Lisbon|Toronto|Nairobi|Osaka|Munich|Austin|Kraków|Lima|Leeds|Hanoi|Denver|Oslo|Cairo|
Mumbai|Seattle|Lyon|Sydney|Boston|Glasgow|Zurich""".replace("\n", "").split("|")
COMPANIES = """Northwind|Acme Corp|Globex|Initech|Bluebird Foods|Vantage Health|Orion Logistics|
Helix Bio|Summit Bank|Cedar & Co|Pinecrest Energy|Lumen Retail|Delta Freight|Quill Software|
Harbor Insurance|Zephyr Airlines""".replace("\n", "").split("|")
PRODUCTS = """wireless headphones|espresso machine|yoga mat|laptop stand|running shoes|air fryer|
desk lamp|phone case|rain jacket|office chair|water bottle|electric toothbrush|camping tent|
bluetooth speaker|robot vacuum|backpack|face cream|board game|mattress|smart watch""".replace(
    "\n", ""
).split("|")
TOPICS = """climate change|remote work|the French Revolution|photosynthesis|electric cars|sleep|
inflation|the Roman Empire|vaccines|black holes|meditation|renewable energy|jazz|chess openings|
urban planning|the Great Barrier Reef|artificial intelligence|coffee|the stock market|Shakespeare|
gardening|dog training|the immune system|plate tectonics|volcanoes|Mars|time management|cooking rice|
travel in Japan|personal finance|parenting|negotiation|the water cycle|medieval trade|football|
tea|public speaking|guitar practice|marathon training|bees""".replace("\n", "").split("|")
NOUNS = """dog|ball|beach|throw|run|kitchen|knife|cut|apple|table|boy|bike|ride|street|rain|umbrella|
walk|crowd|stage|guitar|play|horse|field|jump|fence|snow|mountain|ski|boat|river|paddle|hat|wear|
phone|talk|window|clean|hair|brush|mirror|wood|saw|cake|candle|blow|car|wash|bucket|tree|climb|
rope|bird|fly|sky|camera|picture|smile|desk|write|paper|pool|swim|dive""".replace("\n", "").split(
    "|"
)

SENTENCES = """The {company} board met on Tuesday to discuss the {adj} results.|
{person} said the decision would affect about {n} people in {city}.|
Officials in {city} confirmed that the plan had been delayed until {month}.|
Sales of the {product} rose {n} percent compared with last year.|
The report, published in {month}, found {adj} progress in most regions.|
"We did not expect this," {person} told reporters.|
Scientists at the university have studied {topic} for more than {n} years.|
Critics argue that the proposal ignores {topic}.|
The river rises in the hills north of {city} and flows for {n} kilometres.|
It was built in 18{n} by {person} and restored a century later.|
The treaty ended the war, though {adj} tensions remained.|
During the process, energy is released as heat and the temperature rises.|
Residents were asked to stay indoors while crews repaired the {adj} damage.|
The committee will publish its findings in {month}.|
He moved to {city} in 19{n}, where he worked as a teacher.|
Members of the species feed on small insects and live for about {n} months.|
The company, founded by {person}, employs {n}00 people across {city} and {city}.|
Police said no one was injured in the fire, which broke out early on Monday.|
The team lost the final {n}-{n} after extra time.|
Her second novel was translated into {n} languages.|
Prices have fallen steadily since {month}, according to {company}.|
The agreement covers {topic}, but leaves several questions open.|
In the 19{n}s the region became known for {topic}.|
The minister denied the allegations and promised a {adj} review.|
A spokesman for {company} declined to comment.|
She took the late train home, tired but strangely happy.|
They had been friends since school, and nobody was surprised when they opened a shop together.|
I put the keys on the table and waited for him to say something.""".replace("\n", "").split("|")
REVIEWS = """Absolutely loved it, works as described and arrived early.|
Terrible. Broke after {n} days and support never answered.|It's okay for the price, nothing special.|
The plot drags and the acting is {adj}, but the music is good.|
Best {product} I have ever owned, five stars!|Would not buy again. The {product} feels cheap.|
Staff were friendly, the food was cold, and we waited {n} minutes.|
Crashes every time I open it since the last update.|
A moving, funny film with a {adj} performance by the lead.|
I expected more after all the hype about this {product}.|
My kids use it every day and it still looks new.|The hotel room was {adj} and smelled of smoke.|
Good battery, awful screen.|Hands down the dullest two hours of my life.|
Delivery took {n} weeks, but the quality is great.|Does what it says. No complaints.|
The book starts slowly, then becomes impossible to put down.|
Avoid this place, rude waiters and overpriced wine.""".replace("\n", "").split("|")
TICKETS = """My card was charged twice for order {id}.|I can't log in, the reset mail never arrives.|
Where is my package? Tracking {id} has not moved since {month}.|
How do I change the address on my account?|The app freezes when I upload a photo.|
I'd like to cancel my subscription and get a refund.|Do you ship to {city}?|
The {product} arrived damaged, please send a new one.|Can I get an invoice for {month}?|
Great service, thank you {person}!|Your website is down again!!|
Please upgrade us to {n} seats.|I was promised a discount that is not on the bill.|
Two-factor codes come too late.|What are your opening hours in {city}?""".replace("\n", "").split(
    "|"
)
LETTERS = [
    "Hi {person},\n\nplease find attached invoice {id} for ${money}, due on {date}. Ship to {n} High Street, {city}.\n\nBest,\n{person}\n{company}",
    "Dear team, {person} ({mail}) will join {company} on {date} as analyst in {city}. Her phone is +1 555 {n}{n}.",
    "Booking confirmed: flight {id} from {city} to {city} on {date}, seat {n}A, passenger {person}, total ${money}.",
    "Order {id}\n2 x {product} at ${money}\n1 x {product} at ${money}\nShipped to {person}, {city}, on {date}.",
    "Patient {person}, age {n}, was given 20 mg twice daily on {date} for a {adj} cough; blood pressure 120/{n}.",
    "{person} and {person} met {company} in {city} on {date} to sign a contract worth ${money}.",
    "RESUME\n{person}\n{mail}\n{company}, {city}: engineer, 20{n}-2024\nSkills: Excel, SQL, sales",
    "The tenant, {person}, shall pay ${money} each month from {date} to the landlord, {company}, of {city}.",
]
ADJECTIVES = [
    "strong",
    "weak",
    "mixed",
    "surprising",
    "modest",
    "severe",
    "limited",
    "steady",
    "poor",
    "remarkable",
    "uneven",
    "final",
    "early",
]
MONTHS = ["January", "March", "April", "June", "August", "September", "November"]


def slots(rng_passages: list[str]) -> dict[str, object]:
    """The common slots. `rng_passages` are real sentences to mix in; empty: self-made ones only."""
    table: dict[str, object] = {
        "person": PEOPLE,
        "city": CITIES,
        "company": COMPANIES,
        "product": PRODUCTS,
        "topic": TOPICS,
        "noun": NOUNS,
        "adj": ADJECTIVES,
        "month": MONTHS,
        "review1": REVIEWS,
        "ticket": TICKETS,
        "letter": LETTERS,
        "sentence1": SENTENCES,
        "n": lambda rng: str(rng.randint(2, 98)),
        "money": lambda rng: f"{rng.randint(12, 9800)}.{rng.randint(0, 99):02}",
        "id": lambda rng: f"{rng.choice('ABKQX')}{rng.choice('RTZ')}-{rng.randint(1000, 99999)}",
        "date": lambda rng: f"{rng.randint(1, 28)} {rng.choice(MONTHS)} 202{rng.randint(0, 6)}",
        "mail": lambda rng: (
            f"{rng.choice(PEOPLE).split()[0].lower()}@{rng.choice(['acme', 'north', 'mail'])}.com"
        ),
        "nouns": lambda rng: ", ".join(some(NOUNS, rng, 3, 7)),
        "words": lambda rng: " ".join(some(NOUNS, rng, 3, 5)),
    }

    def sentences(least: int, most: int) -> Callable[[random.Random], str]:
        def make(rng: random.Random) -> str:
            count = rng.randint(least, most)
            if rng_passages and rng.random() < 0.65:
                start = rng.randrange(len(rng_passages))
                return " ".join(rng_passages[start : start + count]) or rng_passages[0]
            return " ".join(fill(rng.choice(SENTENCES), table, rng) for _ in range(count))

        return make

    def joined(
        options: list[str], least: int, most: int, by: str = " "
    ) -> Callable[[random.Random], str]:
        return lambda rng: by.join(fill(x, table, rng) for x in some(options, rng, least, most))

    table.update(
        sentence=sentences(1, 1),
        short=sentences(1, 3),
        passage=sentences(3, 9),
        article=sentences(8, 18),
        review=joined(REVIEWS, 1, 4),
        tickets=joined(TICKETS, 1, 2),
        text=lambda rng: fill(
            rng.choice(["{short}", "{passage}", "{review}", "{tickets}", "{letter}"]), table, rng
        ),
        record=lambda rng: _record(rng, table),
        facts=lambda rng: _facts(rng, table),
        csv=lambda rng: _csv(rng, table),
        report=lambda rng: _report(rng, table),
        transcript=lambda rng: _transcript(rng, table, 6, 40),
    )
    return table


def _record(rng: random.Random, table: dict[str, object]) -> str:
    values = {
        "name": "{person}",
        "city": "{city}",
        "product": "{product}",
        "price": "{money}",
        "order_id": "{id}",
        "date": "{date}",
        "company": "{company}",
        "rating": "{n}",
        "color": "blue",
        "email": "{mail}",
        "status": "shipped",
        "notes": "{sentence1}",
    }
    chosen = some(list(values), rng, 3, 7)
    return json.dumps(
        {k: fill(values[k], table, rng) for k in chosen}, indent=rng.choice([None, 2])
    )


def _facts(rng: random.Random, table: dict[str, object]) -> str:
    pairs = [
        (k, fill(v, table, rng))
        for k, v in rng.sample(
            [
                ("name", "{person}"),
                ("company", "{company}"),
                ("city", "{city}"),
                ("type", "{product}"),
                ("price", "${money}"),
                ("date", "{date}"),
                ("rating", "{n} of 100"),
                ("near", "{company}"),
                ("style", "modern"),
                ("team", "{city} United"),
                ("score", "{n}-{n}"),
                ("bedrooms", "3"),
                ("temperature", "{n}C"),
                ("colour", "green"),
                ("familyFriendly", "yes"),
                ("area", "{city}"),
            ],
            rng.randint(3, 8),
        )
    ]
    style = rng.randrange(7)
    if style == 0:
        return "\n".join(f"{k}: {v}" for k, v in pairs)
    if style == 1:
        return " | ".join(f"{k} = {v}" for k, v in pairs)
    if style == 2:
        return ", ".join(f"{k}[{v}]" for k, v in pairs)
    if style == 3:
        return "; ".join(f"{k}={v}" for k, v in pairs)
    if style == 4:
        return json.dumps(dict(pairs))
    if style == 5:
        return "\n".join(f"- {k.title()}: {v}" for k, v in pairs)
    return " ".join(f"<{k}>{v}</{k}>" for k, v in pairs)


def _csv(rng: random.Random, table: dict[str, object]) -> str:
    rows = [",".join(["month", "region", "revenue", "cost", "churn"])]
    rows += [
        f"{rng.choice(MONTHS)},{rng.choice(CITIES)},{rng.randint(10, 999)},{rng.randint(5, 700)},0.{rng.randint(10, 99)}"
        for _ in range(rng.randint(5, 60))
    ]
    return "\n".join(rows)


def _report(rng: random.Random, table: dict[str, object]) -> str:
    heads = [
        "Summary",
        "Market overview",
        "Financial results",
        "Risk factors",
        "Operations",
        "Outlook",
        "Background",
        "Methods",
        "Findings",
        "Liability",
        "Term and termination",
        "Governing law",
    ]
    parts = []
    for head in some(heads, rng, 3, 9):
        body = " ".join(fill("{passage}", table, rng) for _ in range(rng.randint(1, 8)))
        parts.append(f"{rng.randint(1, 12)}. {head}\n{body}")
    return "\n\n".join(parts)


def _transcript(rng: random.Random, table: dict[str, object], least: int, most: int) -> str:
    speakers = [
        rng.choice([p, p.split()[0], f"Speaker {i}", f"[00:{i:02}:10] {p}"])
        for i, p in enumerate(some(PEOPLE, rng, 2, 5))
    ]
    said = [
        "Yeah, I think so.",
        "Okay, um, so the next point is {topic}.",
        "What about the budget, is it {n} thousand?",
        "Right.",
        "Let's move on.",
        "I disagree, because {sentence1}",
        "{sentence1}",
        "Can you take that, {person}?",
        "We'll decide by {month}.",
        "So the {product} should be {adj}, you know.",
        "Mm-hmm.",
    ]
    return "\n".join(
        f"{rng.choice(speakers)}: {' '.join(fill(rng.choice(said), table, rng) for _ in range(rng.randint(1, 4)))}"
        for _ in range(rng.randint(least, most) * rng.choice([1, 1, 4]))
    )
