"""The page's own parts: components, event handlers, style. Only here and in app.py is gradio imported.

- engine: the models, loaded once in the background, and one run on them at a time; knows nothing of the page
- actions: what happens on each event; takes plain values, returns what the components show
- wording: every sentence and caption the page shows, escaped where it becomes markup
- components: the picture field and the word heatmap
- look: theme and CSS
"""
