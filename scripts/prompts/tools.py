"""Prompts of agents: requests with functions to call, in the ways people write them down."""

from __future__ import annotations

import json
import random

from prompts.fill import Slots, fill, some

_FUNCTIONS = {
    "get_weather": (
        "Get the current weather for a location",
        {"location": "string", "unit": "string"},
    ),
    "search_flights": (
        "Search flights between two airports",
        {"origin": "string", "destination": "string", "date": "string"},
    ),
    "send_email": ("Send an email", {"to": "string", "subject": "string", "body": "string"}),
    "create_event": (
        "Create a calendar event",
        {"title": "string", "start": "string", "duration_minutes": "integer"},
    ),
    "read_file": ("Read a file from disk", {"path": "string"}),
    "run_command": ("Run a shell command", {"command": "string"}),
    "convert_currency": (
        "Convert an amount of money",
        {"amount": "number", "from": "string", "to": "string"},
    ),
    "calculate_triangle_area": (
        "Calculate the area of a triangle",
        {"base": "number", "height": "number"},
    ),
    "query_database": ("Run a SQL query", {"sql": "string"}),
    "web_search": ("Search the web", {"query": "string", "limit": "integer"}),
    "get_stock_price": ("Latest price of a stock", {"symbol": "string"}),
    "book_hotel": (
        "Book a hotel room",
        {"city": "string", "check_in": "string", "nights": "integer"},
    ),
    "track_order": ("Track an order", {"order_id": "string"}),
    "play_music": ("Play a song", {"artist": "string", "title": "string"}),
    "math.factorial": ("Factorial of a number", {"n": "integer"}),
    "recipe.search": ("Find recipes", {"ingredients": "array", "diet": "string"}),
    "lights.set": ("Set smart lights", {"room": "string", "level": "integer"}),
    "crm_update": ("Update a customer", {"id": "string", "fields": "object"}),
}
_REQUESTS = """What's the weather in {city} tomorrow?|Find flights from {city} to {city} on {date}.|Email {person} that the meeting moved to {date}.|Book a hotel in {city} for {n} nights.|Convert {money} dollars to euros.|What is the area of a triangle with base {n} and height {n}?|Where is order {id}?|Calculate the factorial of {n}.|Turn the lights in the kitchen to {n} percent and play some jazz.|
Find me a vegetarian recipe with {noun}.|Check the stock price of {company} and tell me if it is above {n}.|Read config.yaml and tell me which port is used.|Look up the latest news on {topic}, then summarise it in a file.|How many customers signed up in {month}?|Schedule a {n} minute call with {person} and {person}.|Update the address of customer {id} to {city}.|Get the compound interest on ${n}000 over {n} years at {n} percent.|
Could you order {n} {product}s to {city}?|Run the tests and fix what fails.|Remind me on {date} to pay {company}.|Find restaurants near {city} and reserve a table for {n}.""".replace(
    "\n", ""
).split("|")


def agentic(rng: random.Random, table: Slots, other: str) -> tuple[str, str, str, int]:
    """The way it is written, system prompt, first turn, and how many tools the request states.
    What is asked is now and then `other`: with functions at hand anything is a task for an agent.
    """
    names = some(list(_FUNCTIONS), rng, 1, 6)
    ask = " ".join(fill(r, table, rng) for r in some(_REQUESTS, rng, 1, 2))
    if other and rng.random() < 0.5:
        ask = other
    if rng.random() < 0.3:
        return (
            f"stated {len(names)}",
            rng.choice(["", "You are a helpful assistant with access to tools."]),
            ask,
            len(names),
        )
    style, tools = _written(names, rng)
    intro = rng.choice(
        [
            "You have access to these tools:",
            "Available functions:",
            "Functions:",
            "Tools:",
            "You can call the following functions.",
            "# Tools",
            "Use the functions below to answer.",
            "You are an agent. Decide which tool to call.",
            "Here is a list of functions in JSON format that you can invoke.",
            "API reference:",
            "<tools>",
        ]
    )
    rules = rng.choice(
        [
            "",
            "\nReturn the call as JSON.",
            "\nThought: think about what to do\nAction: the tool\nAction Input: the input\nObservation: the result",
            "\nIf no function fits, say so.",
            "\nOutput [func(arg=value)].",
            "\nCall as many as needed, in order.",
        ]
    )
    ask_line = rng.choice(
        ["{ask}", "Question: {ask}", "User: {ask}", "Task: {ask}", "<request>{ask}</request>"]
    ).replace("{ask}", ask)
    if rng.random() < 0.3:
        return f"system {style}", f"{intro}\n{tools}{rules}", ask, 0
    if rng.random() < 0.5:
        return f"after {style}", "", f"{ask_line}\n\n{intro} {tools}{rules}", 0
    return f"before {style}", "", f"{intro}\n{tools}{rules}\n\n{ask_line}", 0


def _written(names: list[str], rng: random.Random) -> tuple[str, str]:
    """How the functions are written down, and that."""
    style = rng.randrange(7)
    if style == 0:
        lines = [
            f"- {name}({', '.join(_FUNCTIONS[name][1])}): {_FUNCTIONS[name][0]}" for name in names
        ]
        return "list", "\n".join(lines)
    if style == 1:
        return "signatures", "\n".join(_signature(name) for name in names)
    made = [_definition(name, rng) for name in names]
    if style == 2:
        return "lines", "\n".join(json.dumps({"type": "function", "function": one}) for one in made)
    if style == 3:
        return "indented", json.dumps(made, indent=2)
    if style == 4:
        return "tags", "\n".join(f"<tool>{json.dumps(one)}</tool>" for one in made)
    return "array", json.dumps(made)


def _signature(name: str) -> str:
    said, parameters = _FUNCTIONS[name]
    return (
        f"def {name.replace('.', '_')}({', '.join(map(': '.join, parameters.items()))}):  # {said}"
    )


def _definition(name: str, rng: random.Random) -> dict[str, object]:
    said, parameters = _FUNCTIONS[name]
    properties = {
        key: {
            "type": kind,
            "description": rng.choice(["The {}.", "The {} to use.", "{}, if known"]).format(key),
        }
        for key, kind in parameters.items()
    }
    key = rng.choice(["parameters", "parameters", "parameters", "input_schema", "arguments"])
    schema = {
        "type": rng.choice(["object", "dict"]),
        "properties": properties,
        "required": list(parameters)[:2],
    }
    return {
        "name": name,
        "description": said + rng.choice([".", " and return it.", ""]),
        key: schema,
    }
