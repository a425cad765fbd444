import json
for i in range(30):
    json.loads(json.dumps([{"id": k, "name": "n" * (k % 300), "tags": ["a", "b"]} for k in range(9000)]))
