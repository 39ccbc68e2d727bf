"""The endpoints as tools for agents: only where gradio[mcp] is installed, and never required."""

import importlib.util
from types import SimpleNamespace

import pytest

import app
from smile.ui import machine
from smile.ui.api import Api


@pytest.mark.parametrize("installed", [True, False])
def test_tools_are_served_where_the_package_is_installed(monkeypatch, installed):
    asked = []

    def find_spec(name):
        asked.append(name)
        return SimpleNamespace() if installed else None

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    assert machine.has_mcp() is installed and asked == ["mcp"]


def test_the_page_is_launched_by_what_is_installed():
    assert app.OPTIONS["mcp_server"] is machine.has_mcp()


@pytest.mark.parametrize("endpoint", [Api.explain, Api.compare, Api.ask])
def test_every_tool_describes_itself(endpoint):
    """The docstring is what an agent reads: what it does first, then what comes back and what the inputs are."""
    first, _, rest = endpoint.__doc__.partition("\n\n")
    assert first.startswith("Explain ") and first.endswith(".") and "Yields" in rest


def test_every_input_of_a_tool_has_a_schema():
    inputs = [part for part in app.demo.blocks.values() if type(part).__name__ == "Names"]
    assert len(inputs) == 5 and all(part.api_info()["type"] == "object" for part in inputs)
