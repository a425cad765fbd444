"""Makes and drops small objects for some processor time: what the wrappers cost."""
import json

for _ in range(60):
    text = json.dumps([{"n": n, "s": str(n), "l": [n] * 3} for n in range(3000)])
    json.loads(text)
