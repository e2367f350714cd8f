"""Rewrites the links of HTML files again and again, with lxml or bs4; prints microseconds a file."""
import sys
import time

library, seconds, files = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
documents = [open(file, encoding="utf-8").read() for file in files]

if library == "lxml":
    from lxml import html

    def rewrite(document):
        tree = html.document_fromstring(document)
        for link in tree.iter("a", "area"):
            if link.get("href"):
                link.set("href", "https://click.example.com/abcdefghijklmnopqrst")
        return html.tostring(tree)
else:
    from bs4 import BeautifulSoup

    def rewrite(document):
        tree = BeautifulSoup(document, "html.parser")
        for link in tree.find_all(["a", "area"], href=True):
            link["href"] = "https://click.example.com/abcdefghijklmnopqrst"
        return str(tree)

start = time.perf_counter()
done = 0
while time.perf_counter() - start < seconds or done == 0:
    for document in documents:
        rewrite(document)
        done += 1
print((time.perf_counter() - start) * 1e6 / done)
