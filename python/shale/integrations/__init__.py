"""Parts for other packages: LangChain, LlamaIndex and scikit-learn."""
