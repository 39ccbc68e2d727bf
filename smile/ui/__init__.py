"""The page. Only here and in app.py is gradio imported; app.py has the layout.

- tabs: edit, scenarios: what stands where in a tab, and in which order its events are sent
- sections: the parts of the first tab, each with its components, its handlers and its events: form (what is asked), answer
  (what a run shows), kept_runs (runs, which outlive their page), trust (how far to believe it), saved_runs (examples, bundles,
  links), downloads (files)
- api: the named endpoints, for programs
- components: what Gradio lacks; templates and static: their markup, scripts and style
- events: with which arguments events are registered
- texts: every sentence of the page
- theme: colours, type and style sheet
- examples: the saved explanations in assets/examples
- validation: whatever is asked, checked before a model is loaded
- runs: a run within its time limit, and what its errors are called
- kept: the runs of all visitors, by number
- engine: the models, loaded once, and one run on them at a time; zero_gpu: the same on ZeroGPU
- machine: where the page runs, and which weights it offers there
- estimate: what a run costs before it is made
- middleware: what every request passes before Gradio sees it

A handler is a method that takes plain values, or all fields of the form by component, and returns new values by component.
"""
