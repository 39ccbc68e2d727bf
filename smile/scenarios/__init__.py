"""Which words did it, over a whole domain of operation instead of one picture or prompt.

A driving system is specified by the conditions it must handle, its operational design domain. A suite names such
conditions, instructions that bring them about, pictures and editors; every cell of that product is explained, and the
report says which words did it where, how alike the explanations are, and which part of the domain was exercised at all.
Instead of pictures and editors a suite may name a language model, which the templates ask.
"""
