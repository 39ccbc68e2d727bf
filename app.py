"""The page: `python app.py`, or a Hugging Face Space. This is the layout; what is in each part stands in its class."""

import contextlib
import logging
import os
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
with contextlib.suppress(ImportError):
    import spaces  # noqa: F401 - on ZeroGPU it must come before gradio and torch

import gradio as gr

from smile import InputError
from smile.paths import EXAMPLES
from smile.report.files import PLOTLY_JS
from smile.ui import machine, middleware, texts
from smile.ui.api import Api
from smile.ui.engine import Engine
from smile.ui.language_engine import LanguageEngine
from smile.ui.tabs.ask import AskTab
from smile.ui.tabs.edit import EditTab
from smile.ui.tabs.scenarios import ScenariosTab
from smile.ui.theme import HEAD, build_theme
from smile.ui.zero_gpu import ZeroGpuEngine


def build(engine: Engine, language_engine: LanguageEngine | None = None) -> gr.Blocks:
    """The page on these models."""
    gr.set_static_paths([EXAMPLES, PLOTLY_JS])  # the only files of this machine that are served as they are
    models = LanguageEngine() if language_engine is None else language_engine
    api, edit, ask, scenarios = Api(engine, models), EditTab(engine), AskTab(models), ScenariosTab(engine, models)
    with gr.Blocks(title=f"SMILE: {texts.TITLE}", fill_width=True, delete_cache=(3600, 6 * 3600)) as page:
        gr.HTML(texts.build_header(), elem_id="header")
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab(texts.TABS[0], elem_id="explain-tab"):
                edit.build()
            with gr.Tab(texts.TABS[1], elem_id="ask-tab"):
                ask.build()
            with gr.Tab(texts.TABS[2], elem_id="scenarios-tab") as scenarios_tab:
                scenarios.build()
        taken = gr.DownloadButton(visible="hidden", elem_id="taken")
        with gr.Row(visible=False):
            api.build()

        api.connect()  # first, so that its endpoints have the names of their functions
        edit.connect(page, taken)
        ask.connect(taken)
        scenarios.connect(scenarios_tab, taken)
    return page.queue(max_size=32, api_open=False)


OPTIONS: dict[str, Any] = {
    "theme": build_theme(),
    "head": HEAD,
    "footer_links": ["api"],
    "max_file_size": "256mb",
    "run_history": False,
    "enable_monitoring": False,
    "ssr_mode": False,
    "mcp_server": machine.has_mcp(),
    **middleware.OPTIONS,
}

engine = ZeroGpuEngine() if machine.ZERO_GPU else Engine()
demo = build(engine)

if __name__ == "__main__":
    middleware.end_at_signals()
    machine.restarts = True
    if machine.SPACE:  # where nobody waits for the start, and ZeroGPU wants its models placed before the page is up
        with contextlib.suppress(InputError):  # the page will say
            engine.load()
            logging.warning(engine.describe_first_run())  # one line, so that the log of a Space says whether its weights work
    demo.launch(prevent_thread_lock=True, state_session_capacity=middleware.SESSIONS, **OPTIONS)
    engine.start_loading()  # after the page answers, so that importing torch does not delay it
    engine.serve() if isinstance(engine, ZeroGpuEngine) else demo.block_thread()
