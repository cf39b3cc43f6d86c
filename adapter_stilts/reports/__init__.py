"""Reports of runs and studies: what they hold as tables and charts, and those as HTML, Markdown, CSV and LaTeX."""
