"""The page's own parts: components, event handlers, style. Only here and in app.py is gradio imported.

Handlers take plain values and return what the components show; app.py says which. They compute nothing themselves.

- engine: the models, loaded once in the background, and one run on them at a time; knows nothing of the page
- estimate: what a run costs before it is made
- door: whatever is asked, checked before a model is loaded
- actions: while something is asked: choosing, planning, the region
- runs: one editor, or all of them on the same
- replays: answers that are there already: examples, opened bundles, links
- trusts: how far to believe the answer, and measuring what needs more edits
- takeaway: the answer as a file
- api: the named endpoints, for programs
- examples: the saved explanations in assets/examples
- parts: the names under which handlers return values
- wording: every sentence the page shows, escaped where it becomes markup
- components: the picture field, the region to paint, what smile.report draws
- look: theme and CSS
"""
